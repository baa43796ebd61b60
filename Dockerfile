# Copyright The license-operator Authors.
# SPDX-License-Identifier: Apache-2.0

# The operator: one static binary and its license, run by a user who is nobody. It reads the API server's certificate from its ServiceAccount, so that it needs no others.
#
# The compiler runs on the platform of whoever builds, and builds for that of whoever runs.
FROM --platform=${BUILDPLATFORM:-linux/amd64} golang:1.26 AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
WORKDIR /src
# The modules on their own, to be downloaded again only when they change.
COPY go.mod go.sum ./
RUN go mod download
COPY api api
COPY cmd cmd
COPY config/admission config/admission
COPY controllers controllers
COPY internal internal
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
    -ldflags "-s -w -X github.com/license-operator/license-operator/internal/version.version=$VERSION" -o /manager ./cmd

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="license-operator" \
      org.opencontainers.image.description="Manages the life of software licenses on Kubernetes" \
      org.opencontainers.image.source="https://github.com/license-operator/license-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY LICENSE /LICENSE
COPY --from=build /manager /manager
# By number, since Kubernetes cannot tell from a name that it is not root (runAsNonRoot).
USER 65532:65532
EXPOSE 8443 8081
ENTRYPOINT ["/manager"]
