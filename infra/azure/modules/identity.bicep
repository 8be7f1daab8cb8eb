// The identity of one service: a token of its service account in the cluster stands for it, and it may read and write the store's container.
param name string
param location string
param issuer string
param subject string
@description('Empty: no store.')
param storageAccount string
param container string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location

  resource federation 'federatedIdentityCredentials' = {
    name: 'kubernetes'
    properties: { issuer: issuer, subject: subject, audiences: ['api://AzureADTokenExchange'] }
  }
}

module access 'container-access.bicep' = if (!empty(storageAccount)) {
  params: { storageAccount: storageAccount, container: container, principal: identity.properties.principalId }
}

output principal string = identity.properties.principalId
output client string = identity.properties.clientId
