"""Compact: keeps a copy of the lake's older days in Parquet, which queries read in their place."""
