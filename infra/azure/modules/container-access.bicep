// A principal may read and write blobs of one container.
param storageAccount string
param container string
param principal string

resource blobs 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = {
  name: '${storageAccount}/default/${container}'
}

var blobDataContributor = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'ba92f5b4-2d11-453d-a403-e96b0029c9fe')

resource writes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: blobs
  name: guid(blobs.id, principal, blobDataContributor)
  properties: { principalId: principal, principalType: 'ServicePrincipal', roleDefinitionId: blobDataContributor }
}
