# The registry service and the web portal. Build from the repository root:
#   docker build -f docker/registry.Dockerfile -t espalier/registry .
FROM node:22-slim AS portal
WORKDIR /src/services/Registry/Portal
COPY services/Registry/Portal .
RUN node build.mjs

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /src
COPY . .
COPY --from=portal /src/services/Registry/wwwroot services/Registry/wwwroot
RUN dotnet publish services/Registry/Registry.csproj -c Release -p:BuildPortal=false -o /app

FROM mcr.microsoft.com/dotnet/aspnet:10.0
WORKDIR /app
COPY --from=build /app .
USER $APP_UID
EXPOSE 8080
ENTRYPOINT ["dotnet", "Espalier.Registry.dll"]
