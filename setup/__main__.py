"""Build the whole pipeline: every script of this folder in its order, each with its line."""

from importlib import import_module

from script import arguments, reported

SCRIPTS = (
    "01_dynamodb",
    "02_kinesis",
    "03_s3",
    "04_iam",
    "05_lambda",
    "06_firehose",
    "07_pipe",
    "08_start_pipe",
    "09_alarms",
    "10_glue",
    "11_athena",
)

if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.prog = "python setup"
    parser.parse_args()
    for name in SCRIPTS:
        line = reported(import_module(name).create, f"setup/{name}.py")
        print(f"{name}: {line}", flush=True)
