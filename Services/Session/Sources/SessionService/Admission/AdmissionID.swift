/// Names an admission. The first letter says whether it holds an Idempotency-Key, so that settling a request without one
/// needs no look at the store.
enum AdmissionID {
    private static let keyed = "i"
    private static let plain = "r"

    static func random(keyed isKeyed: Bool) -> String {
        let text = String(UInt64.random(in: .min ... .max), radix: 36) + String(UInt64.random(in: .min ... .max), radix: 36)
        return (isKeyed ? keyed : plain) + text
    }

    static func holdsKey(_ id: String) -> Bool { id.hasPrefix(keyed) }
}
