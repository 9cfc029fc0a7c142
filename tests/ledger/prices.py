"""AWS list prices, us-east-1, US dollars, without the free tier; as published in November 2026.

Other regions differ by up to a quarter (eu-west-1: DynamoDB +13 %, SQS and Lambda the same).
"""

from __future__ import annotations

MILLION = 1_000_000

WRITE_UNITS = 0.625 / MILLION
"""DynamoDB on demand, one write request unit."""
READ_UNITS = 0.125 / MILLION
"""... one read request unit."""
STORED_GB_MONTH = 0.25
"""... standard table class, and its indexes."""
BACKUP_GB_MONTH = 0.20
"""... point-in-time recovery."""
SQS_REQUESTS = 0.40 / MILLION
"""Standard queues, up to 64 KB each."""
API_CALLS = 3.50 / MILLION
"""API Gateway, REST."""
INVOCATIONS = 0.20 / MILLION
"""Lambda."""
GB_SECONDS = 0.0000133334
"""Lambda on arm64."""
LOG_GB = 0.50
"""CloudWatch Logs, taken in."""
LOG_GB_MONTH = 0.03
"""... kept."""
SENT_GB = 0.09
"""To the internet."""
KMS_REQUESTS = 0.03 / 10_000
SECRETS_REQUESTS = 0.05 / 10_000

KMS_KEY_MONTH = 1.00
SECRET_MONTH = 0.40
ALARM_MONTH = 0.10
METRIC_MONTH = 0.30
"""A custom metric: one name with one combination of dimensions."""
DASHBOARD_MONTH = 3.00
