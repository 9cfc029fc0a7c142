"""The environment as one frozen model, read once. No other file looks at it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.ports import Topic


class Settings(BaseModel):
    """What a deployment is told about itself. The template sets every one of them."""

    model_config = ConfigDict(frozen=True)

    table: str = Field(validation_alias="CORDON_TABLE")
    dispatch_queue: str = Field(validation_alias="CORDON_DISPATCH_QUEUE")
    book_queue: str = Field(validation_alias="CORDON_BOOK_QUEUE")
    hear_queue: str = Field(validation_alias="CORDON_HEAR_QUEUE")
    tell_queue: str = Field(validation_alias="CORDON_TELL_QUEUE")
    rules_queue: str = Field(validation_alias="CORDON_RULES_QUEUE")
    campaign_queue: str = Field(validation_alias="CORDON_CAMPAIGN_QUEUE")
    dispatch_letters: str = Field(validation_alias="CORDON_DISPATCH_LETTERS")
    book_letters: str = Field(validation_alias="CORDON_BOOK_LETTERS")
    hear_letters: str = Field(validation_alias="CORDON_HEAR_LETTERS")
    tell_letters: str = Field(validation_alias="CORDON_TELL_LETTERS")
    rules_letters: str = Field(validation_alias="CORDON_RULES_LETTERS")
    campaign_letters: str = Field(validation_alias="CORDON_CAMPAIGN_LETTERS")
    seal_key: str = Field(validation_alias="CORDON_SEAL_KEY")
    secret: str = Field(validation_alias="CORDON_SECRET")
    signing_key: str = Field(validation_alias="CORDON_SIGNING_KEY")
    public_url: str = Field(default="", validation_alias="CORDON_PUBLIC_URL")
    """Where people reach this deployment, without a slash at the end: links begin with it. Empty: nobody has said."""
    stage: str = Field(default="dev", validation_alias="CORDON_STAGE")
    metrics: str = Field(default="Cordon", validation_alias="CORDON_METRICS")
    """The namespace in CloudWatch: two deployments in one account do not add up."""

    def queue_urls(self) -> dict[Topic, str]:
        return {
            Topic.DISPATCH: self.dispatch_queue,
            Topic.BOOK: self.book_queue,
            Topic.HEAR: self.hear_queue,
            Topic.TELL: self.tell_queue,
            Topic.RULES: self.rules_queue,
            Topic.CAMPAIGN: self.campaign_queue,
        }

    def letter_urls(self) -> dict[Topic, str]:
        """Where each queue's dead letters go."""
        return {
            Topic.DISPATCH: self.dispatch_letters,
            Topic.BOOK: self.book_letters,
            Topic.HEAR: self.hear_letters,
            Topic.TELL: self.tell_letters,
            Topic.RULES: self.rules_letters,
            Topic.CAMPAIGN: self.campaign_letters,
        }


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises ValueError that names every variable that is missing."""
    return Settings.model_validate(dict(os.environ if environment is None else environment))
