/// Inputs to begin with for what clients send: one request with nearly everything for each surface, and what is refused.
enum SurfaceSeeds {
    static let all: [String: [UInt8]] = [
        "chat": seed(SurfaceCheck.chat, chat), "chat-messages": seed(SurfaceCheck.chat, chatMessages),
        "responses": seed(SurfaceCheck.responses, responses), "messages": seed(SurfaceCheck.messages, messages),
        "messages-blocks": seed(SurfaceCheck.messages, blocks), "count": seed(SurfaceCheck.count, count),
        "embeddings": seed(
            SurfaceCheck.embeddings, #"{"model":"e","input":["a","b"],"dimensions":2,"encoding_format":"base64","user":"u"}"#),
        "embeddings-tokens": seed(SurfaceCheck.embeddings, #"{"model":"e","input":[[1,2],[3]],"bulkhead":{"cache":"off"}}"#),
        "refused-member": seed(SurfaceCheck.chat, #"{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}"#),
        "refused-option": seed(
            SurfaceCheck.chat, #"{"model":"m","messages":[{"role":"user","content":"a"}],"bulkhead":{"retrieval":1}}"#),
        "refused-body": seed(SurfaceCheck.messages, "[1,2]"), "refused-json": seed(SurfaceCheck.responses, "{\"model\":"),
    ]

    private static func seed(_ surface: UInt8, _ body: String) -> [UInt8] { [surface] + Array(body.utf8) }

    private static let chat = #"""
        {"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","name":"n","content":"Hi"}],"stream":true,
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}},
        {"type":"web_search"}],"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,
        "temperature":1.5,"top_p":0.5,"max_completion_tokens":50,"stop":["END"],"seed":7,"n":2,"presence_penalty":0.5,
        "frequency_penalty":-0.5,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},
        "logprobs":true,"top_logprobs":2,"reasoning_effort":"low","user":"u","stream_options":{"include_usage":true,"x":1},
        "thinking":{"type":"enabled","budget_tokens":9},"bulkhead":{"cache":"refresh","timeout_ms":900,"tags":{}},"metadata":{}}
        """#

    private static let chatMessages = #"""
        {"model":"m","messages":[{"role":"developer","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]},
        {"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}},{"type":"input_audio","input_audio":{"format":"wav","data":"QQ"}},
        {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AA"}},{"type":"odd","x":1}]},
        {"role":"assistant","content":null,"refusal":"no","reasoning_content":"r","thinking_blocks":[{"type":"thinking","thinking":"t",
        "signature":"bh1.anthropic.s"},{"type":"redacted_thinking","data":"bh1.gemini.d"}],"tool_calls":[{"id":"c1","type":"function",
        "function":{"name":"f","arguments":"{\"a\":1}"},"extra_content":{"google":{"thought_signature":"s"}}}]},
        {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"42"}]}]}
        """#

    private static let responses = #"""
        {"model":"m","instructions":"be brief","max_output_tokens":50,"temperature":0.5,"user":"u","store":true,"stream":true,
        "include":["message.output_text.logprobs"],"reasoning":{"effort":"low","summary":"auto"},"metadata":{"a":"b"},
        "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},"verbosity":"low"},
        "tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true},{"type":"web_search"}],
        "tool_choice":{"type":"function","name":"f"},"input":[{"role":"user","content":[{"type":"input_text","text":"see"},
        {"type":"input_image","image_url":"https://x/y.png","detail":"low"},{"type":"input_file","file_id":"f_1"},
        {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA"}]},
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"e"},
        {"type":"message","role":"assistant","id":"msg_1","content":[{"type":"output_text","text":"a","annotations":[]}]},
        {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
        {"type":"function_call_output","call_id":"c1","output":"42"},{"type":"web_search_call","id":"ws_1"}]}
        """#

    private static let messages = #"""
        {"model":"m","max_tokens":100,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],
        "messages":[{"role":"user","content":"Hi"}],"tools":[{"name":"f","description":"d","input_schema":{"type":"object"}},
        {"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
        "temperature":0.5,"top_p":0.5,"top_k":4,"stop_sequences":["END"],"thinking":{"type":"enabled","budget_tokens":50},
        "output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},"stream":true,
        "metadata":{"user_id":"u"},"service_tier":"auto"}
        """#

    private static let blocks = #"""
        {"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64",
        "media_type":"image/png","data":"QQ"}},{"type":"image","source":{"type":"url","url":"https://x"}},{"type":"document","title":"t",
        "source":{"type":"text","media_type":"text/plain","data":"words"},"citations":{"enabled":true}}]},{"role":"assistant","content":[
        {"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"},
        {"type":"tool_use","id":"c","name":"f","input":{"a":1}},{"type":"server_tool_use","id":"w","name":"web_search","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","is_error":true,"content":[{"type":"text","text":"42"},
        {"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ"}}]},{"type":"text","text":"go on"}]}]}
        """#

    private static let count =
        #"{"model":"m","system":"s","messages":[{"role":"user","content":"Hi"}],"tools":[{"name":"f","input_schema":{}}]}"#
}
