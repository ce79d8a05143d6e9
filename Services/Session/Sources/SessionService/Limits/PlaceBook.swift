/// Requests of a subject that run now, each with the time its lease ends (microseconds).
struct PlaceBook: Sendable {
    private var held: [String: Double] = [:]
    /// No lease ends before.
    private var earliest = Double.infinity

    /// How many are held at `now`; those whose lease is over are free.
    mutating func count(_ now: Double) -> Int {
        if earliest <= now {
            held = held.filter { $0.value > now }
            earliest = held.values.min() ?? .infinity
        }
        return held.count
    }

    mutating func take(_ admission: String, until expires: Double) {
        held[admission] = expires
        earliest = min(earliest, expires)
    }

    mutating func free(_ admission: String) { held.removeValue(forKey: admission) }

    /// Moves the end of a lease that is not over.
    mutating func renew(_ admission: String, until expires: Double, _ now: Double) {
        guard let known = held[admission], known > now else { return }
        held[admission] = expires
        earliest = min(earliest, expires)
    }
}
