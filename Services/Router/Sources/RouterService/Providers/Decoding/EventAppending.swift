import BulkheadAPI
import BulkheadJSON

extension [ChatAPI.ChatEvent] {
    /// Appends a fragment of text of some kind, unless it is empty.
    package mutating func text(_ kind: ChatAPI.EventKind, _ text: String?, choice: Int = 0) {
        if let text, !text.isEmpty { append(.init(kind: kind, choice: choice, text: text)) }
    }

    /// Appends the signature of the reasoning before it, unless it is empty.
    package mutating func signature(_ signature: String?, choice: Int = 0, id: String? = nil) {
        if let signature, !signature.isEmpty {
            append(.init(kind: .signature, choice: choice, id: id, signature: signature))
        }
    }

    /// Appends what only the dialect knows.
    package mutating func raw(_ kind: ChatAPI.EventKind, _ json: JSON, choice: Int = 0) {
        append(.init(kind: kind, choice: choice, json: json.text()))
    }

    /// The provider lives, but there is nothing to show.
    package mutating func keepalive() { append(.init(kind: .keepalive)) }
}
