"""CloudWatch of the laptop cloud: moto's, with tags of dashboards."""

from local.services.cloudwatch.service import CloudWatch

__all__ = ["CloudWatch"]
