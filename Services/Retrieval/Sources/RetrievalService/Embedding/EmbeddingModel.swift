import Foundation

/// The built-in embedder, all-MiniLM-L6-v2: a tokenizer and an encoder over files mapped from its folder. Immutable, so any
/// number of threads may embed at once.
package struct EmbeddingModel: Sendable {
    /// What `EmbedReply.model` says, and the name of its folder.
    package static let name = "all-MiniLM-L6-v2"
    /// Numbers in a vector.
    package static let dimensions = BertWeights.hidden

    /// One text embedded.
    package struct Embedded: Sendable {
        /// Of length 1.
        package var vector: [Float]
        /// What the model read, with the two ids around the text, at most 256.
        package var tokens: Int

        /// A vector and what it cost.
        package init(vector: [Float], tokens: Int) {
            self.vector = vector
            self.tokens = tokens
        }
    }

    private let tokenizer: BertTokenizer
    private let encoder: BertEncoder

    /// Maps and checks the files of `folder`. Blocks on the file system.
    /// - Throws: `ModelError` when a file is missing, damaged or of another model.
    package init(folder: String) throws {
        let file = try MappedFile(path: folder + "/vocab.txt", name: "vocab.txt")
        let vocabulary = try Vocabulary(Array(file.bytes))
        tokenizer = BertTokenizer(vocabulary)
        let mapped = try MappedFile(path: folder + "/model.safetensors", name: "model.safetensors")
        encoder = BertEncoder(try BertWeights(mapped, vocabulary: vocabulary.count))
    }

    /// Computes for milliseconds: not on the event loop.
    package func embed(_ text: String) -> Embedded {
        let ids = tokenizer.ids(text)
        return Embedded(vector: encoder.encode(ids), tokens: ids.count)
    }

    /// The first `dimensions` numbers of a unit vector, of length 1 again.
    package static func shortened(_ vector: [Float], to dimensions: Int) -> [Float] {
        guard dimensions < vector.count else { return vector }
        var short = Array(vector.prefix(dimensions))
        short.withUnsafeMutableBufferPointer { numbers in
            if let base = numbers.baseAddress { VectorMath.normalise(base, count: numbers.count) }
        }
        return short
    }
}
