"""Settings of how syncd signs in at Entra ID."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from syncd.config.values import File, Secret, Text, WebUrl

__all__ = ["Auth", "Certificate", "ClientSecret", "Federated", "ManagedIdentity", "NoAuth"]

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class NoAuth(BaseModel):
    """Sign in nowhere: for a sandbox on this machine."""

    model_config = STRICT

    method: Literal["none"] = Field(description="How syncd signs in.")


class ClientSecret(BaseModel):
    """Sign in as an application with a secret."""

    model_config = STRICT

    method: Literal["client-secret"] = Field(description="How syncd signs in.")
    tenant_id: Text = Field(
        description="The directory (tenant) of the application, its id or domain."
    )
    client_id: Text = Field(description="The application (client) id.")
    client_secret: Secret = Field(description="The application's secret.")
    authority: WebUrl | None = Field(
        None, description="Another sign-in address than that of the cloud."
    )


class Certificate(BaseModel):
    """Sign in as an application with a certificate."""

    model_config = STRICT

    method: Literal["certificate"] = Field(description="How syncd signs in.")
    tenant_id: Text = Field(
        description="The directory (tenant) of the application, its id or domain."
    )
    client_id: Text = Field(description="The application (client) id.")
    certificate: File = Field(description="The file with certificate and key: PEM or PFX.")
    passphrase: Secret | None = Field(None, description="What the key is locked with.")
    send_chain: bool = Field(
        False,
        description=(
            "Send the certificate along, for an application that trusts its subject name and "
            "issuer instead of knowing the certificate itself."
        ),
    )
    authority: WebUrl | None = Field(
        None, description="Another sign-in address than that of the cloud."
    )


class Federated(BaseModel):
    """Sign in as an application with a token that the surroundings provide."""

    model_config = STRICT

    method: Literal["federated"] = Field(description="How syncd signs in.")
    tenant_id: Text = Field(
        description="The directory (tenant) of the application, its id or domain."
    )
    client_id: Text = Field(description="The application (client) id.")
    token_file: File = Field(
        description="The file that holds the current token; read at each sign-in."
    )
    authority: WebUrl | None = Field(
        None, description="Another sign-in address than that of the cloud."
    )


class ManagedIdentity(BaseModel):
    """Sign in as the identity that the platform gives to the machine."""

    model_config = STRICT

    method: Literal["managed-identity"] = Field(description="How syncd signs in.")
    client_id: Text | None = Field(
        None, description="Which identity, if it is a user-assigned one."
    )


Auth = NoAuth | ClientSecret | Certificate | Federated | ManagedIdentity
