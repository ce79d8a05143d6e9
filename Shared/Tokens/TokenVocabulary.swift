/// A published vocabulary of tokens, with the way it splits text.
package enum TokenVocabulary: String, CaseIterable, Sendable {
    case o200k = "o200k_base"
    case cl100k = "cl100k_base"

    /// The name of its file, as published: a token in base64 and its rank on every line.
    package var fileName: String { "\(rawValue).tiktoken" }

    /// SHA-256 of the file in hex, as tiktoken itself checks it.
    package var sha256: String {
        switch self {
        case .o200k: "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
        case .cl100k: "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
        }
    }
}

/// Why a vocabulary cannot be used. Names files, never folders.
package struct VocabularyError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    /// - Parameter description: which file, what is wrong with it.
    package init(_ description: String) { self.description = description }
}
