// Secrets, by roles; what is deleted stays for a week.
param name string
param location string
param administrator string

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: '${name}${uniqueString(resourceGroup().id)}'
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    enablePurgeProtection: true
  }
}

var secretsOfficer = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7')

resource administers 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(administrator)) {
  scope: vault
  name: guid(vault.id, administrator, secretsOfficer)
  properties: { principalId: administrator, roleDefinitionId: secretsOfficer }
}

output name string = vault.name
