"""What can be asked of the agent, a file for each group; `edge.agent.service` gives them their names."""
