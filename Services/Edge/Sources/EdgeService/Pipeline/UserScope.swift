import Crypto

/// On whose behalf a request is made, for whatever is kept apart by user: never shown to clients.
///
/// A key's user and an asserted one are of one kind (`user:`), names that clients write into bodies of another (`end:`), and who
/// has neither is the key (`key:`): a client that writes another user's name, or a key's id, into its body stays apart from it.
package enum UserScope {
    /// What `CallMetadata.user` may hold.
    package static let limit = 256

    /// - Parameters:
    ///   - user: of the key, or asserted by it; empty when there is none.
    ///   - endUser: named in the body.
    package static func text(user: String, endUser: String?, keyID: String) -> String {
        if !user.isEmpty { return bounded("user:" + user) }
        if let endUser { return bounded("end:" + endUser) }
        return bounded("key:" + keyID)
    }

    /// A name that is too long keeps its beginning, for people, and a digest of the whole, for being told apart.
    private static func bounded(_ text: String) -> String {
        guard text.utf8.count > limit else { return text }
        let digest = SHA256.hash(data: Array(text.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 2 ? digits : "0" + digits
        }.joined()
        return String(decoding: text.utf8.prefix(limit / 2), as: UTF8.self).filter { $0 != "\u{FFFD}" } + "#" + digest
    }
}
