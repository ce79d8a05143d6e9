/// The schemas that `ContractDocument` refers to. Of the dialects only what a request must have: their members are their makers'
/// to describe, and go on as they are. What is Bulkhead's own stands here whole.
enum ContractSchemas {
    /// The member `components`, as JSON.
    static let components = """
        {
          "securitySchemes": {
            "bearer": {
              "type": "http", "scheme": "bearer", "bearerFormat": "API key or JWT",
              "description": "An API key (bh_…). Where the server trusts an OpenID provider, one of its tokens (a JWT) as well."
            },
            "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}
          },
          "parameters": {
            "IdempotencyKey": {
              "name": "Idempotency-Key", "in": "header", "required": false,
              "description": "Names the request: it runs once. A String of RFC 8941, or the bare key; see the tag idempotency.",
              "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
            },
            "OnUnknown": {
              "name": "Bulkhead-On-Unknown", "in": "header", "required": false,
              "description": "retry: run the request again although an earlier run with unknown outcome may have been billed.",
              "schema": {"enum": ["retry"]}
            },
            "LastEventID": {
              "name": "Last-Event-ID", "in": "header", "required": false,
              "description": "The id of the last event the client has of a stream with this Idempotency-Key: it goes on behind it.",
              "schema": {"type": "string"}
            }
          },
          "schemas": {
            "ChatRequest": {
              "type": "object", "required": ["model", "messages"],
              "properties": {
                "model": {"type": "string"}, "messages": {"type": "array", "items": {"type": "object"}}, "stream": {"type": "boolean"}
              }
            },
            "ResponsesRequest": {
              "type": "object", "required": ["model", "input"],
              "properties": {
                "model": {"type": "string"}, "input": {"type": ["string", "array"]}, "stream": {"type": "boolean"}
              }
            },
            "MessagesRequest": {
              "type": "object", "required": ["model", "messages", "max_tokens"],
              "properties": {
                "model": {"type": "string"}, "messages": {"type": "array", "items": {"type": "object"}},
                "max_tokens": {"type": "integer", "minimum": 1}, "stream": {"type": "boolean"}
              }
            },
            "CountTokensRequest": {
              "type": "object", "required": ["model", "messages"],
              "properties": {"model": {"type": "string"}, "messages": {"type": "array", "items": {"type": "object"}}}
            },
            "EmbeddingsRequest": {
              "type": "object", "required": ["model", "input"],
              "properties": {
                "model": {"type": "string"}, "input": {"type": ["string", "array"]},
                "encoding_format": {"enum": ["float", "base64"]}
              }
            },
            "ModerationsRequest": {
              "type": "object", "required": ["input"],
              "properties": {"model": {"type": "string"}, "input": {"type": ["string", "array"]}}
            },
            "Call": {
              "type": "object", "additionalProperties": false,
              "properties": {
                "method": {"type": "string", "default": "GET"},
                "path": {"type": "string", "default": "/", "description": "Begins with a slash; goes out as it is."},
                "query": {
                  "type": "object",
                  "additionalProperties": {
                    "anyOf": [
                      {"type": ["string", "number", "boolean"]},
                      {"type": "array", "items": {"type": ["string", "number", "boolean"]}}
                    ]
                  }
                },
                "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                "body": {"description": "An object or an array is sent as JSON, a text as it is."}
              }
            },
            "DestinationList": {
              "type": "object", "required": ["object", "data"],
              "properties": {
                "object": {"const": "list"},
                "data": {
                  "type": "array",
                  "items": {
                    "type": "object", "required": ["name", "base_url", "secret", "preset", "methods", "paths"],
                    "properties": {
                      "name": {"type": "string"}, "base_url": {"type": "string"},
                      "secret": {"type": ["string", "null"], "description": "A name, never a value."},
                      "preset": {"type": ["string", "null"]},
                      "methods": {"type": ["array", "null"], "items": {"type": "string"}},
                      "paths": {"type": ["array", "null"], "items": {"type": "string"}}
                    }
                  }
                }
              }
            },
            "Readiness": {
              "type": "object", "required": ["status", "services", "stores", "degraded"],
              "properties": {
                "status": {"enum": ["ready", "degraded", "unavailable"]},
                "services": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Part"}},
                "stores": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Part"}},
                "degraded": {"type": "array", "items": {"type": "string"}}
              }
            },
            "Part": {
              "type": "object", "required": ["state", "since", "reason"],
              "properties": {
                "kind": {"type": "string"}, "state": {"enum": ["ready", "degraded", "down", "draining"]},
                "since": {"type": "string", "format": "date-time"}, "reason": {"type": "string"}
              }
            },
            "OpenAIError": {
              "type": "object", "required": ["error"],
              "properties": {
                "error": {
                  "type": "object", "required": ["message", "type", "param", "code"],
                  "properties": {
                    "message": {"type": "string"}, "type": {"type": "string"}, "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]}
                  }
                }
              }
            },
            "AnthropicError": {
              "type": "object", "required": ["type", "error"],
              "properties": {
                "type": {"const": "error"},
                "error": {
                  "type": "object", "required": ["type", "message"],
                  "properties": {"type": {"type": "string"}, "message": {"type": "string"}}
                },
                "request_id": {"type": "string"}
              }
            },
            "Problem": {
              "type": "object", "description": "RFC 9457", "required": ["title", "status", "detail", "code"],
              "properties": {
                "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                "detail": {"type": "string"}, "code": {"type": "string"}, "request_id": {"type": "string"}
              }
            },
            "Document": {"type": "object"},
            "Text": {"type": "string"}
          }
        }
        """
}
