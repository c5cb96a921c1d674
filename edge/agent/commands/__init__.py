"""What can be asked of the agent, a file for each group; `edge.agent.agent` gives them their names."""
