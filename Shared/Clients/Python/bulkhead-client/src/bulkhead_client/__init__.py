"""Call any API through Bulkhead: name the key, never hold it."""

from ._answer import Answer
from ._asynchronous import AsyncAnswer, AsyncClient
from ._client import Client
from ._destinations import Destination
from ._errors import BulkheadError, NoDestination, Refused, Unavailable, Unreachable

__all__ = [
    "Answer", "AsyncAnswer", "AsyncClient", "BulkheadError", "Client", "Destination", "NoDestination", "Refused", "Unavailable", "Unreachable",
]
