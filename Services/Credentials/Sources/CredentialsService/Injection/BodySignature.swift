import BulkheadCore
import Crypto
import NIOCore

/// Signatures of a body with a shared secret.
enum BodySignature {
    /// Adds the headers of preset `hmac`.
    static func add(_ spec: HMACSpec, _ key: SecretBytes, to request: inout OutboundRequest, at now: Int64) {
        let timestamp = String(UTCTime(milliseconds: now).seconds)
        let before = spec.content == .timestampAndBody ? "\(timestamp)." : ""
        let code = code(spec.algorithm, key, before, request.wholeBody)
        let digits = spec.encoding == .hex ? code.flatMap { HexDigits.lower.pair($0) } : Base64.encode(code)
        let signature = String(decoding: digits, as: UTF8.self)
        let value = spec.template.replacing("{signature}", with: signature).replacing("{timestamp}", with: timestamp)
        request.headers.append(OutboundRequest.Header(spec.header, SecretText(value)))
        if let name = spec.timestampHeader { request.headers.append(OutboundRequest.Header(name, SecretText(timestamp))) }
    }

    private static func code(
        _ algorithm: HMACSpec.Algorithm, _ key: SecretBytes, _ before: String, _ body: ByteBuffer
    ) -> [UInt8] {
        switch algorithm {
        case .sha256: Array(code(HMAC<SHA256>(key: key.symmetricKey()), before, body))
        case .sha512: Array(code(HMAC<SHA512>(key: key.symmetricKey()), before, body))
        }
    }

    private static func code<Hash: HashFunction>(_ hmac: HMAC<Hash>, _ before: String, _ body: ByteBuffer) -> HMAC<Hash>.MAC {
        var hmac = hmac
        hmac.update(data: Array(before.utf8))
        body.withUnsafeReadableBytes { hmac.update(data: $0) }
        return hmac.finalize()
    }

    // MARK: Standard Webhooks 1.0.0

    static let webhookHeaders: Set<String> = ["webhook-timestamp", "webhook-signature"]
    private static let webhookID = "webhook-id"

    /// The key in a stored value, `whsec_` and base64 of 24 to 64 bytes; nil when it is none.
    static func webhookKey(_ value: SecretBytes) -> SecretBytes? {
        let prefix = Array("whsec_".utf8)
        let text = value.withBytes { Array($0) }
        guard text.starts(with: prefix), let key = Base64.decode(text[prefix.count...]), (24 ... 64).contains(key.count) else {
            return nil
        }
        return SecretBytes(key)
    }

    /// Adds the headers. The message's id is the caller's, so that a repeated message has the same; else a new one.
    /// - Parameter keys: the current one first; receivers accept a message that any of its signatures is good for.
    static func addWebhook(_ keys: [SecretBytes], to request: inout OutboundRequest, at now: Int64) {
        let id = request.headers.first { $0.name.lowercased() == webhookID }?.value.plain ?? newID()
        request.headers.removeAll { $0.name.lowercased() == webhookID }
        let timestamp = String(UTCTime(milliseconds: now).seconds)
        let signatures = keys.map { key in
            let code = code(.sha256, key, "\(id).\(timestamp).", request.wholeBody)
            return "v1," + String(decoding: Base64.encode(code), as: UTF8.self)
        }
        for (name, value) in [
            (webhookID, id), ("webhook-timestamp", timestamp), ("webhook-signature", signatures.joined(separator: " ")),
        ] {
            request.headers.append(OutboundRequest.Header(name, SecretText(value)))
        }
    }

    private static func newID() -> String {
        var source = SystemRandomNumberGenerator()
        let bytes = (0 ..< 16).map { _ in UInt8.random(in: .min ... .max, using: &source) }
        return "msg_" + String(decoding: bytes.flatMap { HexDigits.lower.pair($0) }, as: UTF8.self)
    }
}
