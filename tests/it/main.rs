mod lease_sim;
