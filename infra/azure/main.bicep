// What is behind infra/kubernetes/overlays/azure: a network, AKS, PostgreSQL, a storage account, a key vault, a container registry, and for every
// service an identity that may touch the store's container and read its own secrets, and nothing else.
//   az deployment group create -g GROUP -f infra/azure/main.bicep -p name=espalier secretSeed=... databasePassword=...
targetScope = 'resourceGroup'

@description('Begins the names of everything; letters and digits.')
@minLength(3)
@maxLength(11)
param name string

@description('Where everything is.')
param location string = resourceGroup().location

@description('Passwords of broker accounts and the first API key are derived from it: give the same one at every deployment, and keep it.')
@secure()
@minLength(32)
param secretSeed string

@description('Password of the database\'s administrator.')
@secure()
@minLength(16)
param databasePassword string

@description('Object id of who writes other secrets into the key vault; empty: nobody does.')
param vaultAdministrator string = ''

@description('Size of the nodes for workers on the CPU. One size, one kind of processor: what steps compute depends on it.')
param cpuNodeSize string = 'Standard_D8s_v5'

@description('Size of the nodes with a GPU.')
param gpuNodeSize string = 'Standard_NC24ads_A100_v4'

@description('Most nodes with a GPU; 0 leaves them out.')
@minValue(0)
@maxValue(100)
param mostGpuNodes int = 4

// The service accounts of the overlay; the broker is one, since it knows every account's password.
var services = ['orchestrator', 'registry', 'upcycler', 'cpt-trainer', 'pruner', 'quantizer', 'evaluator']
var accounts = concat(services, ['rabbitmq'])
var namespace = 'espalier'

module network 'modules/network.bicep' = {
  params: { name: name, location: location }
}

module cluster 'modules/cluster.bicep' = {
  params: {
    name: name
    location: location
    subnet: network.outputs.clusterSubnet
    cpuNodeSize: cpuNodeSize
    gpuNodeSize: gpuNodeSize
    mostGpuNodes: mostGpuNodes
  }
}

module database 'modules/database.bicep' = {
  params: {
    name: name
    location: location
    subnet: network.outputs.databaseSubnet
    zone: network.outputs.databaseZone
    password: databasePassword
  }
}

module store 'modules/store.bicep' = {
  params: { name: name, location: location }
}

module vault 'modules/vault.bicep' = {
  params: { name: name, location: location, administrator: vaultAdministrator }
}

module identities 'modules/identity.bicep' = [
  for account in accounts: {
    name: 'identity-${account}'
    params: {
      name: '${name}-${account}'
      location: location
      issuer: cluster.outputs.issuer
      subject: 'system:serviceaccount:${namespace}:${account}'
      storageAccount: account == 'rabbitmq' ? '' : store.outputs.account
      container: store.outputs.container
    }
  }
]

// Of a service and of the broker, which is the last identity.
module brokerPasswords 'modules/secret.bicep' = [
  for (service, i) in services: {
    name: 'broker-password-${service}'
    params: {
      vault: vault.outputs.name
      name: 'broker-password-${service}'
      value: '${uniqueString(secretSeed, service)}${uniqueString(service, secretSeed)}'
      readers: [identities[i].outputs.principal, identities[length(services)].outputs.principal]
    }
  }
]

module databaseConnections 'modules/secret.bicep' = [
  for (service, i) in ['orchestrator', 'registry']: {
    name: 'database-${service}'
    params: {
      vault: vault.outputs.name
      name: 'database-${service}'
      value: 'Host=${database.outputs.host};Database=${database.outputs.database};Username=${database.outputs.user};Password=${databasePassword};SSL Mode=VerifyFull'
      readers: [identities[i].outputs.principal]
    }
  }
]

module administratorKey 'modules/secret.bicep' = {
  params: {
    vault: vault.outputs.name
    name: 'administrator-key'
    value: 'esp_${uniqueString(secretSeed, 'administrator')}${uniqueString('administrator', secretSeed)}'
    readers: [identities[0].outputs.principal]
  }
}

// The lines of infra/kubernetes/overlays/azure/values.env.
output STORE_LOCATION string = store.outputs.location
output IMAGES string = '${cluster.outputs.registry}/espalier'
output KEY_VAULT string = vault.outputs.name
output TENANT_ID string = tenant().tenantId
output CLIENT_IDS array = [
  for (account, i) in accounts: 'CLIENT_ID_${toUpper(replace(account, '-', '_'))}=${identities[i].outputs.client}'
]
