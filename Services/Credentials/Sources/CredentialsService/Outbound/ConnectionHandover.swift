/// The HTTP client does not say which connection serves a request. It writes a request's head and tells the request's exchange
/// of that in one go, on one loop: the connection is left here by the one and taken by the other.
///
/// `@unchecked Sendable`: touched on the loop of its client only.
final class ConnectionHandover: @unchecked Sendable {
    /// The one a head was written to last.
    var connection: PooledConnection?

    func take() -> PooledConnection? { connection.take() }
}
