# The registry service and the web portal. Build from the repository root:
#   docker build -f docker/registry.Dockerfile -t espalier/registry:0.1.0 .
FROM node:22.20.0-slim AS portal
WORKDIR /src/services/Registry/Portal
COPY services/Registry/Portal .
RUN node build.mjs

FROM mcr.microsoft.com/dotnet/sdk:10.0.401-noble AS build
RUN dotnet tool install CycloneDX --version 6.3.1 --tool-path /tools
WORKDIR /src
COPY . .
COPY --from=portal /src/services/Registry/wwwroot services/Registry/wwwroot
RUN dotnet publish services/Registry/Registry.csproj -c Release -p:BuildPortal=false -o /app \
    && /tools/dotnet-CycloneDX services/Registry/Registry.csproj --disable-package-restore --output-format Json --output /app --filename sbom.json

FROM mcr.microsoft.com/dotnet/aspnet:10.0.12-noble
WORKDIR /app
COPY --from=build /app .
USER $APP_UID
EXPOSE 8080
ENTRYPOINT ["dotnet", "Espalier.Registry.dll"]
