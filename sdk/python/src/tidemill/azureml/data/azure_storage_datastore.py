"""`azureml.data.azure_storage_datastore`: datastores are of one kind here."""

from tidemill.azureml.core.datastore import Datastore

__all__ = ["AzureBlobDatastore", "AzureFileDatastore"]

AzureBlobDatastore = Datastore
AzureFileDatastore = Datastore
