"""The managed services that the laptop cloud moves by itself; moto answers for all others."""

from local.services.athena import Athena
from local.services.aws_lambda import Lambda
from local.services.cloudwatch import CloudWatch
from local.services.dynamodb import DynamoDb
from local.services.firehose import Firehose
from local.services.glue import Glue
from local.services.iam import Iam
from local.services.kinesis.service import Kinesis
from local.services.pipes import Pipes
from local.services.s3.service import S3
from local.services.secrets_manager.service import SecretsManager

# In the order in which a change meets them, so that one round of steps carries it far.
SERVICES = (
    Iam,
    CloudWatch,
    SecretsManager,
    S3,
    DynamoDb,
    Pipes,
    Kinesis,
    Firehose,
    Lambda,
    Glue,
    Athena,
)
