import Crypto

/// Who a request counts for: the user of the key, else the one it may assert, else the one the body names, else the key.
package enum Identity: Hashable, Sendable {
    /// The key's own user, or the asserted one.
    case user(String)
    /// Named in the body, by nobody who vouches for it.
    case end(String)
    /// The key itself, by its account: the id of the first of those that were rotated into it.
    case key(String)

    /// Names longer than this many bytes stand as their digest.
    static let longestName = 256

    /// - Parameters:
    ///   - asserted: from x-bulkhead-user; heard only for keys that may assert users.
    ///   - end: from the body.
    package init(key: KeyRecord, asserted: String?, end: String?) {
        if let user = key.user {
            self = .user(user)
        } else if key.mayAssertUser, let asserted, !asserted.isEmpty {
            self = .user(Self.bounded(asserted))
        } else if let end, !end.isEmpty {
            self = .end(Self.bounded(end))
        } else {
            self = .key(key.account)
        }
    }

    /// `user:NAME`, `end:NAME` or `key:ID`: the owner of a claim, and what stores know it by.
    package var text: String {
        switch self {
        case .user(let name): "user:" + name
        case .end(let name): "end:" + name
        case .key(let id): "key:" + id
        }
    }

    /// The user; empty for the other two.
    package var user: String { if case .user(let name) = self { name } else { "" } }

    private static func bounded(_ name: String) -> String {
        guard name.utf8.count > longestName else { return name }
        return "sha256." + APIKey.base64URL(Array(SHA256.hash(data: Array(name.utf8))))
    }
}
