import RouterService

/// What Anthropic requests look like on the wire.
extension AnthropicGolden {
    static let requests: [GoldenRequest] = [
        .init(
            chat: "plain", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"messages":[{"role":"user","content":"Hi"}],"stream":true}
                """#),
        .init(
            chat: "sampling", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":100,"system":"Be brief.","messages":[{"role":"user","content":"Hi"}],"temperature":1,"top_k":40,"stream":true,"metadata":{"user_id":"anna"}}
                """#),
        .init(
            chat: "probabilities", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                refused: logprobs=true cannot be sent to this model: its provider speaks the Anthropic Messages dialect, which has no such thing.
                """#),
        .init(
            chat: "system in the middle", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"system":"One.\n\nTwo.","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],"stop_sequences":["END"],"stream":true}
                """#),
        .init(
            chat: "images", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"Which?"},{"type":"image","source":{"type":"url","url":"https://x.example/a.png"}},{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"QUJD"}},{"type":"image","source":{"type":"base64","media_type":"image/webp","data":"REVG"}}]}],"stream":true}
                """#),
        .init(
            chat: "documents", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERg=="},"title":"Report 1.pdf"},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"Plain words."},"title":"Notes"},{"type":"text","text":"Sum up."}]}],"stream":true}
                """#),
        .init(
            chat: "sound", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                refused: A content part of this kind cannot be sent to this model: its provider speaks the Anthropic Messages dialect, into which this is not translated.
                """#),
        .init(
            chat: "tools", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"messages":[{"role":"user","content":"Hi"}],"tools":[{"name":"weather","description":"Tells.","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}},{"name":"clock","input_schema":{"type":"object","properties":{"zone":{"type":["string","null"]}},"additionalProperties":false},"strict":true}],"tool_choice":{"type":"tool","name":"clock"},"stream":true}
                """#),
        .init(
            chat: "one tool at a time", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"messages":[{"role":"user","content":"Hi"}],"tools":[{"name":"weather","description":"Tells.","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true},"stream":true}
                """#),
        .init(
            chat: "parallel calls and results", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"messages":[{"role":"user","content":"Weather and time?"},{"role":"assistant","content":[{"type":"text","text":"Let me look."},{"type":"tool_use","id":"functions_weather_0_f403ae4b6d15ba46","name":"weather","input":{"city":"Oslo"}},{"type":"tool_use","id":"call_b","name":"clock","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"functions_weather_0_f403ae4b6d15ba46","content":"rain"},{"type":"tool_result","tool_use_id":"call_b","content":"it stands still","is_error":true},{"type":"text","text":"So?"}]}],"tools":[{"name":"weather","description":"Tells.","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}},{"name":"clock","input_schema":{"type":"object","properties":{"zone":{"type":["string","null"]}},"additionalProperties":false},"strict":true}],"stream":true}
                """#),
        .init(
            chat: "results with images", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"messages":[{"role":"user","content":"Draw."},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"draw","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"Done:"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}}]}]}],"stream":true}
                """#),
        .init(
            chat: "schema", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"messages":[{"role":"user","content":"Hi"}],"stream":true,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}}}}
                """#),
        .init(
            chat: "JSON mode", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                refused: response_format of type 'json_object' cannot be sent to this model: its provider speaks the Anthropic Messages dialect, which has no such thing.
                """#),
        .init(
            chat: "effort", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":20000,"messages":[{"role":"user","content":"Hi"}],"stream":true,"thinking":{"type":"enabled","budget_tokens":8192}}
                """#),
        .init(
            chat: "budget", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":8000,"messages":[{"role":"user","content":"Hi"}],"stream":true,"thinking":{"type":"enabled","budget_tokens":3000}}
                """#),
        .init(
            chat: "no reasoning", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":100,"messages":[{"role":"user","content":"Hi"}],"stream":true,"thinking":{"type":"disabled"}}
                """#),
        .init(
            chat: "signatures of all", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"as Claude","signature":"sig-a"},{"type":"redacted_thinking","data":"hidden-a"},{"type":"thinking","thinking":"on Bedrock","signature":"sig-b"},{"type":"tool_use","id":"c1","name":"clock","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"noon"}]}],"stream":true}
                """#),
        .init(
            chat: "OpenAI members", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":50,"messages":[{"role":"user","content":"Hi"}],"stream":true}
                """#),
        .init(
            chat: "Anthropic members", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01 anthropic-beta=context-management-2025-06-27
                {"model":"claude-sonnet-4-5","max_tokens":1000,"messages":[{"role":"user","content":"Hi"}],"stream":true,"thinking":{"type":"adaptive"},"output_config":{"effort":"low"},"context_management":{"edits":[]}}
                """#),
        .init(
            chat: "Responses members", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":30000,"messages":[{"role":"user","content":"Hi"}],"stream":true,"thinking":{"type":"enabled","budget_tokens":24576}}
                """#),
        .init(
            chat: "unknown member", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                refused: The member 'web_search_options' cannot be sent to this model: its provider speaks the Anthropic Messages dialect, into which this is not translated.
                """#),
        .init(
            chat: "several choices", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                refused: n=2 cannot be sent to this model: its provider speaks the Anthropic Messages dialect, which has no such thing.
                """#),
        .init(
            chat: "cache marks", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":100,"system":[{"type":"text","text":"Long.","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}],"tools":[{"name":"weather","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral","ttl":"1h"}}],"stream":true}
                """#),
        .init(
            chat: "raw parts", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"search_result","source":"x"},{"type":"text","text":"Hi"}]}],"stream":true}
                """#),
        .init(
            chat: "prefill", dialect: .anthropic, model: "claude-sonnet-4-5",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-sonnet-4-5","max_tokens":4096,"messages":[{"role":"user","content":"List."},{"role":"assistant","content":"1."}],"stream":true}
                """#),
        .init(
            chat: "effort", dialect: .anthropic, model: "claude-opus-4-6",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-opus-4-6","max_tokens":20000,"messages":[{"role":"user","content":"Hi"}],"stream":true,"thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}}
                """#),
        .init(
            chat: "effort", dialect: .anthropic, model: "claude-3-5-haiku-latest",
            expected: #"""
                /v1/messages anthropic-version=2023-06-01
                {"model":"claude-3-5-haiku-latest","max_tokens":20000,"messages":[{"role":"user","content":"Hi"}],"temperature":0.2,"stream":true}
                """#),
    ]
}
