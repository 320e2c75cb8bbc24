"""
HTTP itself, beneath all routes: the outermost layer of an app, the trace id, the OpenAPI document and its page.
"""
