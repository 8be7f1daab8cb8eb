# The orchestrator service. Build from the repository root:
#   docker build -f docker/orchestrator.Dockerfile -t espalier/orchestrator:0.1.0 .
FROM mcr.microsoft.com/dotnet/sdk:10.0.401-noble@sha256:e70cdb7f80b0348f5cb85f19a8f670fca061f033d57eed12fa003d58b0e06317 AS build
RUN dotnet tool install CycloneDX --version 6.3.1 --tool-path /tools
WORKDIR /src
COPY . .
RUN dotnet publish services/Orchestrator/Orchestrator.csproj -c Release -o /app \
    && /tools/dotnet-CycloneDX services/Orchestrator/Orchestrator.csproj --disable-package-restore --output-format Json --output /app --filename sbom.json

FROM mcr.microsoft.com/dotnet/aspnet:10.0.12-noble@sha256:222759b391a1aaf241166672c8f99b2d4ada452e7b5319f3c6e8f265a37b5ad4
WORKDIR /app
COPY --from=build /app .
USER $APP_UID
EXPOSE 8080
ENTRYPOINT ["dotnet", "Espalier.Orchestrator.dll"]
