"""Stand-ins for the SMS gateways of Alibaba Cloud and Tencent Cloud, on a port of their own. Never for production.

One process, one event loop and no framework: a bench of ours must not be bound by the other side's server.
"""
