import BulkheadAPI
import BulkheadHTTP
import Glibc
import NIOCore

/// What the events of a run have in common that differ in one string only, a fragment of the answer: most of a stream. Such an
/// event is recognised by its bytes and not taken apart.
///
/// A form is only made of an event after which the decoder has been tried with another fragment in the same place: it told that
/// fragment and nothing else, and was as before. Decoders look at a fragment only to see whether it is empty, so each
/// other one has the same effect. It holds until the first event that is not of the form.
final class RepeatedForm: Sendable {
    /// Bytes of an event that are kept.
    private static let limit = 512

    /// The event without its fragment, and where that stood.
    private let bytes: [UInt8]
    private let place: Int
    private let name: String
    private let kind: ChatAPI.EventKind
    private let choice: Int

    /// - Parameters:
    ///   - event: one that `decoder` has just taken.
    ///   - told: what came of it.
    ///   - decoder: after the event.
    /// - Returns: nil when events like this one need not have the same effect.
    init?(_ event: SSEEvent, told: ChatAPI.ChatEvent, by decoder: any EventDecoder) {
        var fragment = told.text
        let all = Array(event.data.readableBytesView)
        guard all.count <= Self.limit, let found = fragment.withUTF8({ Self.place(of: $0, in: all) }) else { return nil }
        let rest = Array(all[..<found] + all[(found + fragment.utf8.count)...])
        guard Self.isRepeatable(event, told, decoder, rest, found) else { return nil }
        (bytes, place, name, kind, choice) = (rest, found, event.name, told.kind, told.choice)
    }

    /// The fragment as a string of its own, without escapes.
    private static func place(of fragment: UnsafeBufferPointer<UInt8>, in bytes: [UInt8]) -> Int? {
        let quote = UInt8(ascii: "\"")
        guard isPlain(UnsafeRawBufferPointer(fragment)), bytes.count >= fragment.count + 2 else { return nil }
        return bytes.withUnsafeBytes { all in
            guard let start = all.baseAddress, let same = fragment.baseAddress else { return nil }
            return (1 ..< all.count - fragment.count).first { place in
                all[place - 1] == quote && all[place + fragment.count] == quote
                    && memcmp(start + place, same, fragment.count) == 0
            }
        }
    }

    private static func isRepeatable(
        _ event: SSEEvent, _ told: ChatAPI.ChatEvent, _ decoder: any EventDecoder, _ bytes: [UInt8], _ place: Int
    ) -> Bool {
        let other = told.text + "+"
        var data = ByteBuffer(bytes: bytes[..<place])
        data.writeString(other)
        data.writeBytes(bytes[place...])
        var trial = decoder
        var events: [ChatAPI.ChatEvent] = []
        do throws(DecodeFault) {
            try trial.take(WireEvent(name: event.name, data: data), into: &events)
        } catch {
            return false
        }
        return events == [.init(kind: told.kind, choice: told.choice, text: other)] && decoder.isSame(as: trial)
    }

    /// What an event is beside a form.
    enum Likeness {
        /// Of the form: this came of it.
        case told(ChatAPI.ChatEvent)
        /// Of the form if it is JSON at all; the decoder has to take it, and the form holds.
        case alike
        case other
    }

    func likeness(of event: SSEEvent) -> Likeness {
        guard event.name == name, event.data.readableBytes > bytes.count else { return .other }
        return event.data.withUnsafeReadableBytes { data in bytes.withUnsafeBytes { likeness(of: data, $0) } }
    }

    private func likeness(of data: UnsafeRawBufferPointer, _ form: UnsafeRawBufferPointer) -> Likeness {
        guard let start = data.baseAddress, let same = form.baseAddress else { return .other }
        let count = data.count - form.count
        guard memcmp(start, same, place) == 0, memcmp(start + place + count, same + place, form.count - place) == 0 else {
            return .other
        }
        let fragment = UnsafeRawBufferPointer(rebasing: data[place ..< place + count])
        if Self.isPlain(fragment), let text = Self.text(fragment) {
            return .told(.init(kind: kind, choice: choice, text: text))
        }
        return Self.isOneString(fragment) ? .alike : .other
    }

    /// nil when it is not UTF-8.
    private static func text(_ bytes: UnsafeRawBufferPointer) -> String? {
        // The validating initialiser is generic code in the standard library; for ASCII the other one does the same, faster.
        if bytes.allSatisfy({ $0 < 0x80 }) { return String(decoding: bytes, as: UTF8.self) }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Whether the string that these bytes stand in ends after them and not before.
    private static func isOneString(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var isEscaped = false
        for byte in bytes {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                return false
            }
        }
        return !isEscaped
    }

    /// Whether these bytes stand in a JSON string as they are.
    private static func isPlain(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    }
}

extension EventDecoder {
    fileprivate func isSame(as other: any EventDecoder) -> Bool { (other as? Self) == self }
}
