// AKS with workload identities, the secrets driver for the key vault and network policies, and a registry that its nodes may pull from. KEDA is not
// taken as an add-on: that puts it into kube-system, and our network policies let the namespace 'keda' in.
param name string
param location string
param subnet string
param cpuNodeSize string
param gpuNodeSize string
param mostGpuNodes int

resource cluster 'Microsoft.ContainerService/managedClusters@2024-09-01' = {
  name: name
  location: location
  identity: { type: 'SystemAssigned' }
  properties: {
    dnsPrefix: name
    disableLocalAccounts: false
    oidcIssuerProfile: { enabled: true }
    securityProfile: { workloadIdentity: { enabled: true } }
    addonProfiles: {
      azureKeyvaultSecretsProvider: { enabled: true, config: { enableSecretRotation: 'true', rotationPollInterval: '2m' } }
    }
    networkProfile: {
      networkPlugin: 'azure'
      networkPluginMode: 'overlay'
      networkDataplane: 'cilium'
      networkPolicy: 'cilium'
      serviceCidr: '10.21.0.0/16'
      dnsServiceIP: '10.21.0.10'
    }
    agentPoolProfiles: [
      {
        name: 'system'
        mode: 'System'
        vmSize: 'Standard_D4s_v5'
        count: 2
        vnetSubnetID: subnet
      }
    ]
  }

  resource cpu 'agentPools' = {
    name: 'cpu'
    properties: {
      mode: 'User'
      vmSize: cpuNodeSize
      enableAutoScaling: true
      minCount: 1
      maxCount: 8
      count: 1
      vnetSubnetID: subnet
      nodeLabels: { 'espalier.dev/device': 'cpu' }
    }
  }

  resource gpu 'agentPools' = if (mostGpuNodes > 0) {
    name: 'gpu'
    properties: {
      mode: 'User'
      vmSize: gpuNodeSize
      enableAutoScaling: true
      minCount: 0
      maxCount: mostGpuNodes
      count: 0
      vnetSubnetID: subnet
      nodeLabels: { 'espalier.dev/device': 'cuda' }
      nodeTaints: ['nvidia.com/gpu=present:NoSchedule']
    }
  }
}

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: '${name}${uniqueString(resourceGroup().id)}'
  location: location
  sku: { name: 'Standard' }
  properties: { adminUserEnabled: false }
}

var acrPull = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d')

resource pull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: registry
  name: guid(registry.id, cluster.id, acrPull)
  properties: {
    principalId: cluster.properties.identityProfile.kubeletidentity.objectId
    principalType: 'ServicePrincipal'
    roleDefinitionId: acrPull
  }
}

output issuer string = cluster.properties.oidcIssuerProfile.issuerURL
output registry string = registry.properties.loginServer
