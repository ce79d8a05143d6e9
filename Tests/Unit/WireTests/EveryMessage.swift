import BulkheadAPI
import BulkheadIPC
import BulkheadWire

typealias TestedMessage = WireMessage & Equatable

/// All messages of all .proto files; `completeList` fails when one is missing.
let everyMessage: [any TestedMessage.Type] = [
    IPCMessages.MethodEntry.self, IPCMessages.Hello.self, IPCMessages.Failure.self, IPCMessages.Health.self,
    IPCMessages.FieldForm.self, IPCMessages.MessageForm.self, IPCMessages.MethodForm.self, IPCMessages.SchemaForm.self,
    IPCMessages.DescribeRequest.self, IPCMessages.DescribeReply.self,
    ChatAPI.Part.self, ChatAPI.Message.self, ChatAPI.Tool.self, ChatAPI.ChatRequest.self, ChatAPI.Served.self, ChatAPI.Usage.self,
    ChatAPI.ChatEvent.self,
    ControlAPI.MetricsRequest.self, ControlAPI.MetricsReply.self, ControlAPI.InvokeRequest.self, ControlAPI.InvokeReply.self,
    CredentialsAPI.Header.self, CredentialsAPI.CallRequest.self, CredentialsAPI.CallReply.self,
    RetrievalAPI.EmbedRequest.self, RetrievalAPI.Vector.self, RetrievalAPI.EmbedReply.self,
    RouterAPI.CompleteRequest.self, RouterAPI.CompleteReply.self, RouterAPI.FailureDetail.self,
    RouterAPI.TakeUsageRequest.self, RouterAPI.TakeUsageReply.self, RouterAPI.CountTokensRequest.self,
    RouterAPI.CountTokensReply.self, RouterAPI.ModerateRequest.self, RouterAPI.ModerateReply.self, RouterAPI.EmbedRequest.self,
    RouterAPI.Vector.self,
    RouterAPI.EmbedReply.self, RouterAPI.ListModelsRequest.self, RouterAPI.Model.self, RouterAPI.ListModelsReply.self,
    SessionAPI.AdmitRequest.self, SessionAPI.StoredAnswer.self, SessionAPI.RateLimit.self, SessionAPI.AdmitReply.self,
    SessionAPI.TokenIdentity.self, SessionAPI.SettleRequest.self, SessionAPI.SettleReply.self, SessionAPI.Budget.self,
    SessionAPI.StreamEnd.self,
    SessionAPI.DispatchRequest.self, SessionAPI.DispatchReply.self, SessionAPI.RenewRequest.self, SessionAPI.Held.self,
    SessionAPI.RenewReply.self, SessionAPI.AppendStreamRequest.self, SessionAPI.StreamPiece.self,
    SessionAPI.AppendStreamReply.self, SessionAPI.ReadStreamRequest.self, SessionAPI.ReadStreamReply.self,
    SessionAPI.WatchKeysRequest.self, SessionAPI.WatchKeysReply.self, SessionAPI.SpendFreezes.self,
    SessionAPI.ReportSpendRequest.self, SessionAPI.SpentAway.self, SessionAPI.ReportSpendReply.self,
    TelemetryAPI.RequestEvent.self, TelemetryAPI.CredentialRecord.self, TelemetryAPI.IngestRequest.self,
    TelemetryAPI.IngestReply.self,
]
