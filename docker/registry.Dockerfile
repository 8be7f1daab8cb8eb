# The registry service. Build from the repository root:
#   docker build -f docker/registry.Dockerfile -t espalier/registry .
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /src
COPY . .
RUN dotnet publish services/Registry/Registry.csproj -c Release -p:Torch=TorchSharp-cpu -p:UseSystemIoHashingPackage=true -o /app

FROM mcr.microsoft.com/dotnet/aspnet:10.0
WORKDIR /app
COPY --from=build /app .
USER $APP_UID
EXPOSE 8080
ENTRYPOINT ["dotnet", "Espalier.Registry.dll"]
