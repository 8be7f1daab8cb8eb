// One network: nodes in one subnet, the database in another that only it may use. Nothing here has a public address of its own.
param name string
param location string

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  properties: {
    addressSpace: { addressPrefixes: ['10.20.0.0/16'] }
    subnets: [
      {
        name: 'cluster'
        properties: { addressPrefix: '10.20.0.0/20' }
      }
      {
        name: 'database'
        properties: {
          addressPrefix: '10.20.16.0/28'
          delegations: [
            { name: 'postgres', properties: { serviceName: 'Microsoft.DBforPostgreSQL/flexibleServers' } }
          ]
        }
      }
    ]
  }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: '${name}.private.postgres.database.azure.com'
  location: 'global'

  resource link 'virtualNetworkLinks' = {
    name: 'network'
    location: 'global'
    properties: { registrationEnabled: false, virtualNetwork: { id: network.id } }
  }
}

output clusterSubnet string = '${network.id}/subnets/cluster'
output databaseSubnet string = '${network.id}/subnets/database'
output databaseZone string = zone.id
