"""The managed services that the laptop cloud moves by itself; moto answers for all others."""

from local.athena import Athena
from local.crawler import Glue
from local.dynamodb import DynamoDb
from local.firehose import Firehose
from local.iam import Iam
from local.kinesis import Kinesis
from local.lambda_runtime import Lambda
from local.pipe import Pipes
from local.s3 import S3

# In the order in which a change meets them, so that one round of steps carries it far.
PARTS = (Iam, S3, DynamoDb, Pipes, Kinesis, Firehose, Lambda, Glue, Athena)
