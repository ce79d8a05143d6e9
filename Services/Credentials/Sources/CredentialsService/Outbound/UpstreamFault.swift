/// What ended an exchange or kept it from beginning. Says nothing of its request.
enum UpstreamFault: Error, Equatable {
    /// Whoever asked is gone.
    case cancelled
    /// No connection within the time allowed.
    case connectTimeout
    /// The connection is gone.
    case closed
    /// The name does not resolve.
    case unresolved
    /// Too many names wait to be resolved.
    case resolverBusy
    /// The socket's peer is not the address that was vetted.
    case otherPeer
    /// No key of the certificate chain is pinned.
    case otherKey
    /// The certificate chain is not trusted, or not for this host.
    case untrusted
    /// The proxy refused or did not answer.
    case proxyRefused
    /// A response head beyond its bounds.
    case headTooLarge
    /// A response whose end is ambiguous, or that changes the protocol.
    case ambiguous
    /// The request's body is not as long as announced.
    case lengthMismatch
    /// The other side ended the HTTP/2 stream. `isRefused`: before it did anything with it.
    case streamReset(isRefused: Bool)
    /// The process ends.
    case stopping
}
