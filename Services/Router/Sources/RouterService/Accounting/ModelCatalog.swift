/// What is known of a model; nil: not known.
package struct ModelFacts: Sendable, Equatable {
    package var contextWindow: Int?
    package var maxOutput: Int?
    package var takesTools: Bool?
    package var takesImages: Bool?
    package var takesPrefill: Bool?

    package init() {}
}

/// Facts by model name.
package struct ModelCatalog: Sendable {
    package init() {}
    package func facts(_ model: String) -> ModelFacts { ModelFacts() }
}
