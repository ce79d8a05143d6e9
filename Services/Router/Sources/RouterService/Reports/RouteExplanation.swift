/// What `bulkhead-router explain` asks.
package struct ExplainArguments: Codable, Sendable {
    package var model: String
    /// Nil: any request.
    package var request: RequestSketch?

    package init(model: String, request: RequestSketch? = nil) {
        self.model = model
        self.request = request
    }
}

/// Where a request for a model would go, why, what it would cost, and what would follow from each class of error.
package struct RouteExplanation: Codable, Sendable {
    /// One target.
    package struct Row: Codable, Sendable {
        package var provider: String
        package var model: String
        package var dialect: String
        /// closed | open | half-open | forced-open | forced-closed
        package var breaker: String
        /// Milliseconds until an open breaker lets a probe through.
        package var nextProbeMilliseconds: Int?
        /// Switched off by an operator.
        package var disabled: Bool
        /// Why it is not asked now, whatever the request: its switch, account or breaker, with the wait; nil: it is.
        package var keptAway: String?
        package var weight: Int
        /// With strategy weighted: how many of 100 requests it is the first choice of, as things stand.
        package var sharePercent: Double?
        /// Why it cannot take the request; nil: it can, as far as is known.
        package var obstacle: String?
        /// Tokens of input and output together; nil: not known. So are the four below.
        package var context: Int?
        package var maxOutput: Int?
        package var tools: Bool?
        package var images: Bool?
        package var prefill: Bool?
        /// Nano-dollars per million input and output tokens; absent when the price is not known.
        package var inputPrice: Int?
        package var outputPrice: Int?
        /// Nano-dollars for the request, with the input and output tokens of `request`; nil: the price is not known.
        package var estimatedCost: Int?
        /// Input tokens of the request in this model's way of counting, about; nil: no request was given.
        package var inputTokens: Int?
    }

    /// A class of errors and what is done.
    package struct Rule: Codable, Sendable {
        /// Stable, e.g. `rate_limited`.
        package var code: String
        package var on: String
        package var action: String
    }

    /// What the estimates are made for.
    package struct Request: Codable, Sendable {
        /// What the body looked like; nil: no request was given, and the numbers are an example.
        package var dialect: String?
        package var inputTokens: Int
        package var outputTokens: Int
        package var images: Int
        package var tools: Int
        package var stream: Bool
    }

    package var model: String
    package var alias: String
    package var strategy: String
    package var request: Request
    /// The target asked first, `provider/model`; nil: none can be asked now, or chance decides.
    package var first: String?
    package var why: String
    package var targets: [Row]
    package var rules: [Rule]
    /// What follows when every target failed, in the configured order.
    package var fallbacks: [String]
    /// always | deterministic | off
    package var cache: String
    /// What the exact cache does with the request.
    package var cacheOutlook: String
}
