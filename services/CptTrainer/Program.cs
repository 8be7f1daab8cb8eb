// Wiring follows; see ServiceCollectionExtensions.
return 0;
