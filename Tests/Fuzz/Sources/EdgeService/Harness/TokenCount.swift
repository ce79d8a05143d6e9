import BulkheadJSON

/// The request of Anthropic's `count_tokens`.
package enum TokenCount {
    package static func decode(_ body: JSON) throws -> ChatCall { try AnthropicRequest.decode(body, counts: true) }
}
