"""Settings of `assay serve` and `assay worker`, part of `assay.settings.Settings`."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveFloat, PositiveInt

from assay.addresses import Openable


class Serving(BaseModel):
    """Where the server listens, how many workers it starts, and what it lets in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = 8080
    workers: NonNegativeInt = 1  # processes that work on jobs; each loads the models once
    attempts: PositiveInt = 3  # of a job whose worker died or whose stage failed
    lease_s: PositiveFloat = 60.0  # a worker that is silent for so long has lost its job
    keep_hours: PositiveFloat = 24.0  # videos are deleted then; what was decided about them stays
    grace_s: PositiveFloat = 20.0  # on shutdown, for the jobs that are running
    max_json_bytes: PositiveInt = 1 << 20
    max_upload_bytes: PositiveInt = 256 << 20
    requests_per_minute: PositiveInt = 600  # of a tenant without limits of its own
    active_jobs: PositiveInt = 16
    jobs_per_day: PositiveInt = 10_000
    asking: PositiveInt = 32  # creations whose prompt is being judged at one time; beyond it 429
    fetch_urls: bool = False  # may `input_reference` and the like name a URL that the server fetches?
    moderation_hands: PositiveInt = min(2, os.cpu_count() or 1)  # processes that read texts for /v1/moderations
    moderation_batch: PositiveInt = 8  # texts that one of them is given at a time
    moderation_waiting: PositiveInt = 256  # texts that may wait; beyond it 429
    max_moderation_bytes: PositiveInt = 32 << 20  # of one request, with the pictures in it
    scan_bytes: PositiveInt = 64 << 20  # of a file that is scanned while its sender waits
    public_checks: bool = False  # is /v1/provenance/checks answered without a key?
    public_checks_per_minute: PositiveInt = 20  # then, from one address
    open_metrics: bool = False  # is /metrics answered without a key? For networks that nobody else reaches
    traces: bool = False  # send OpenTelemetry spans; where to, OTEL_EXPORTER_OTLP_ENDPOINT says
    tls_certificate: Path | None = None
    tls_key: Path | None = None


class Webhooks(BaseModel):
    """Where the server may post events, and how long it waits for an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow_http: bool = False  # else https only
    allow_private: bool = False  # addresses that are not public: for development, and receivers in the same network
    timeout_s: PositiveFloat = 10.0

    @property
    def openable(self) -> Openable:
        """Which URLs that allows."""
        return Openable(http=self.allow_http, private=self.allow_private)
