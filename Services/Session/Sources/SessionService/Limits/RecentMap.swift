/// A dictionary of bounded size that forgets what was not used for longest, in constant time: entries live in two
/// generations; when the young one is full it becomes the old one, and the old one is forgotten. A use moves an entry to the
/// young one. Holds between `capacity / 2` and `capacity` of the entries used last.
package struct RecentMap<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]
    private let half: Int
    /// Something was forgotten since the start.
    package private(set) var hasForgotten = false

    /// - Parameter capacity: entries at most, at least 2.
    package init(capacity: Int) { half = max(1, capacity / 2) }

    /// Entries held.
    package var count: Int { young.count + old.count }

    /// The value of `key`; reading is no use, writing is.
    package subscript(key: Key) -> Value? {
        get { young[key] ?? old[key] }
        set {
            // Most of the time there is no old generation: a key is hashed once.
            if !old.isEmpty { old.removeValue(forKey: key) }
            guard let newValue else {
                young.removeValue(forKey: key)
                return
            }
            if young.count >= half, young[key] == nil {
                hasForgotten = hasForgotten || !old.isEmpty
                old = young
                young = [:]
                old.removeValue(forKey: key)
            }
            young[key] = newValue
        }
    }

    /// The value of `key`, made when there is none. This is a use.
    package mutating func value(of key: Key, or make: () -> Value) -> Value {
        if let known = young[key] { return known }
        let value = old[key] ?? make()
        self[key] = value
        return value
    }
}
