// An OpenID provider with three applications. Prints its address once it listens.
import { createPublicKey } from "node:crypto";
import fs from "node:fs";
import https from "node:https";
import express from "express";
import Provider from "oidc-provider";

const [tenant, audience, secret] = process.argv.slice(2);
const scope = `${audience}/.default`;

const tls = { key: fs.readFileSync("tls.key"), cert: fs.readFileSync("tls.pem") };
const server = https.createServer(tls);

function application(id, rest) {
  const grant = { redirect_uris: [], response_types: [], grant_types: ["client_credentials"] };
  return { client_id: id, scope, ...grant, ...rest };
}

function withKey(id, file) {
  const key = createPublicKey(fs.readFileSync(file)).export({ format: "jwk" });
  return application(id, {
    token_endpoint_auth_method: "private_key_jwt",
    jwks: { keys: [{ ...key, use: "sig" }] },
  });
}

server.listen(0, "127.0.0.1", () => {
  const base = `/${tenant}/v2.0`;
  const root = `https://localhost:${server.address().port}`;
  const jwt = { sign: { alg: "RS256" } };
  const resource = { scope, accessTokenFormat: "jwt", accessTokenTTL: 3600, jwt };
  const provider = new Provider(root + base, {
    clients: [
      application("with-secret", {
        client_secret: secret,
        token_endpoint_auth_method: "client_secret_post",
      }),
      withKey("with-certificate", "client.pem"),
      withKey("federated", "cluster.pem"),
    ],
    scopes: [scope],
    clientAuthMethods: ["client_secret_post", "private_key_jwt"],
    enabledJWA: { clientAuthSigningAlgValues: ["RS256", "PS256"] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => resource,
      },
    },
  });
  server.on("request", express().use(base, provider.callback()));
  console.log(root);
});
