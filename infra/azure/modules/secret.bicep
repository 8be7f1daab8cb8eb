// One secret, and who may read it.
param vault string
param name string
@secure()
param value string
param readers string[]

resource keys 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vault
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: keys
  name: name
  properties: { value: value }
}

var secretsUser = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')

resource reads 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for reader in readers: {
    scope: secret
    name: guid(secret.id, reader, secretsUser)
    properties: { principalId: reader, principalType: 'ServicePrincipal', roleDefinitionId: secretsUser }
  }
]
