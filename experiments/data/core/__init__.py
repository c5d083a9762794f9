"""Parts that data sources share: data sets, decoding, loading, batch order."""
