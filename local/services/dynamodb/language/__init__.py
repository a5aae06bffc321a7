"""DynamoDB's values and languages as pure functions: numbers, expressions, updates, PartiQL.

Nothing here knows a table, a clock or a network; `local/` gives the items.
"""
