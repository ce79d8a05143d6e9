/// Where the numbers of a BERT encoder stand in the mapped file. Made once; every tensor's shape is checked then, so that
/// the forward pass needs no check.
struct BertWeights: Sendable {
    /// y = W·x + b; W is [out, in].
    struct Dense: Sendable {
        nonisolated(unsafe) let weight: UnsafePointer<Float>
        nonisolated(unsafe) let bias: UnsafePointer<Float>
        let inputs: Int
        let outputs: Int
    }

    struct Norm: Sendable {
        nonisolated(unsafe) let scale: UnsafePointer<Float>
        nonisolated(unsafe) let shift: UnsafePointer<Float>
    }

    struct Layer: Sendable {
        let query: Dense
        let key: Dense
        let value: Dense
        let attentionOutput: Dense
        let attentionNorm: Norm
        let intermediate: Dense
        let output: Dense
        let outputNorm: Norm
    }

    /// The shape of all-MiniLM-L6-v2, from its config.json.
    static let hidden = 384
    static let heads = 12
    static let headWidth = hidden / heads
    static let inner = 1536
    static let layerCount = 6

    nonisolated(unsafe) let words: UnsafePointer<Float>
    nonisolated(unsafe) let positions: UnsafePointer<Float>
    nonisolated(unsafe) let tokenType: UnsafePointer<Float>
    let embeddingNorm: Norm
    let layers: [Layer]

    /// Keeps the pages the pointers lead to.
    private let file: MappedFile

    /// - Parameter vocabulary: how many pieces the tokenizer has; the model must have a row for each.
    /// - Throws: `ModelError` when the file is no safetensors file, or lacks a tensor of the expected shape.
    init(_ file: MappedFile, vocabulary: Int) throws {
        let source = Source(file: file, directory: try Safetensors(file.bytes))
        self.file = file
        words = try source.tensor("embeddings.word_embeddings.weight", [vocabulary, Self.hidden])
        positions = try source.tensor("embeddings.position_embeddings.weight", [512, Self.hidden])
        tokenType = try source.tensor("embeddings.token_type_embeddings.weight", [2, Self.hidden])
        embeddingNorm = try source.norm("embeddings.LayerNorm")
        layers = try (0 ..< Self.layerCount).map { try source.layer("encoder.layer.\($0)") }
    }

    private struct Source {
        let file: MappedFile
        let directory: Safetensors

        func tensor(_ name: String, _ shape: [Int]) throws -> UnsafePointer<Float> {
            guard let tensor = directory.tensors[name] else { throw ModelError("model.safetensors lacks tensor \(name)") }
            guard tensor.shape == shape else {
                throw ModelError("model.safetensors has tensor \(name) of shape \(tensor.shape), expected \(shape)")
            }
            return (file.base + tensor.offset).assumingMemoryBound(to: Float.self)
        }

        func dense(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Dense {
            Dense(
                weight: try tensor(name + ".weight", [outputs, inputs]), bias: try tensor(name + ".bias", [outputs]),
                inputs: inputs, outputs: outputs)
        }

        func norm(_ name: String) throws -> Norm {
            Norm(scale: try tensor(name + ".weight", [hidden]), shift: try tensor(name + ".bias", [hidden]))
        }

        func layer(_ name: String) throws -> Layer {
            Layer(
                query: try dense(name + ".attention.self.query", hidden, hidden),
                key: try dense(name + ".attention.self.key", hidden, hidden),
                value: try dense(name + ".attention.self.value", hidden, hidden),
                attentionOutput: try dense(name + ".attention.output.dense", hidden, hidden),
                attentionNorm: try norm(name + ".attention.output.LayerNorm"),
                intermediate: try dense(name + ".intermediate.dense", hidden, inner),
                output: try dense(name + ".output.dense", inner, hidden),
                outputNorm: try norm(name + ".output.LayerNorm"))
        }
    }
}
