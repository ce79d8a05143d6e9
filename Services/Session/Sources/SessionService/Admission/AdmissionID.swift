/// Names an admission. The first letter says whether it holds an Idempotency-Key, so that settling a request without one
/// needs no look at the store.
enum AdmissionID {
    private static let keyed = "i"
    private static let plain = "r"

    /// The name for what edge proposed, if that is one: 8 to 40 letters and digits.
    static func of(_ proposed: String, keyed isKeyed: Bool) -> String {
        let isUsable =
            (8 ... 40).contains(proposed.utf8.count)
            && proposed.utf8.allSatisfy { (48 ... 57).contains($0) || (65 ... 90).contains($0) || (97 ... 122).contains($0) }
        return isUsable ? (isKeyed ? keyed : plain) + proposed : random(keyed: isKeyed)
    }

    static func random(keyed isKeyed: Bool) -> String {
        let text = String(UInt64.random(in: .min ... .max), radix: 36) + String(UInt64.random(in: .min ... .max), radix: 36)
        return (isKeyed ? keyed : plain) + text
    }

    static func holdsKey(_ id: String) -> Bool { id.hasPrefix(keyed) }
}
