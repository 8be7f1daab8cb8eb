// The artifact store: one container; no keys, no public blobs. A deleted blob can be had back for a week.
param name string
param location string

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: '${toLower(name)}${uniqueString(resourceGroup().id)}'
  location: location
  kind: 'StorageV2'
  sku: { name: 'Standard_ZRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: { deleteRetentionPolicy: { enabled: true, days: 7 } }

    resource container 'containers' = {
      name: 'espalier'
      properties: { publicAccess: 'None' }
    }
  }
}

output account string = account.name
output container string = account::blobs::container.name
output location string = 'https://${account.name}.blob.${environment().suffixes.storage}'
